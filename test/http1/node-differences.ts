/**
 * Where our request parser and node's (llhttp 9, strict) read a head differently, and why that is right. Seen on
 * llhttp 9.3.1 (Node 20.20) and 9.4.3 (Node 22.23, 24.21, 26.10).
 *
 * Rows where node is stricter stand here only because RFC 9112 allows what node refuses: being more lenient than node on
 * something the RFC forbids would be a fault of ours.
 */

export interface Difference {
  /** CR and LF before the request line. */
  readonly lead: string;
  /** The rest. */
  readonly text: string;
  /** "accepted/refused" and so on: our verdict, then node's. */
  readonly verdicts: string;
  /** Our refusal word, or "". */
  readonly word: string;
  /** Where both accept: what they read differently. */
  readonly keys: string;
}

interface DifferenceClass {
  readonly name: string;
  readonly stricter: "ours" | "node" | "neither";
  readonly why: string;
  readonly source: string;
  /** A head that shows the difference. */
  readonly witness: string;
  /** From llhttp 9.4 on node reads it as we do. */
  readonly isGoneInLlhttp94?: true;
  explains(difference: Difference): boolean;
}

const HOST = "Host: a.test\r\n\r\n";

/** We refuse, with one of `words`, what node takes. */
function refusal(words: string, form: RegExp): (difference: Difference) => boolean {
  return ({ verdicts, word, text }) =>
    verdicts === "refused/accepted" && words.split(" ").includes(word) && form.test(text);
}

/** Both accept, and read only the persistence of the connection differently. */
function persistence(form: RegExp): (difference: Difference) => boolean {
  return ({ keys, text }) => keys === "isKeptAlive" && form.test(text);
}

/** Node refuses what we take. */
function nodeRefusal(form: RegExp): (difference: Difference) => boolean {
  return ({ verdicts, text }) => verdicts === "accepted/refused" && form.test(text);
}

const REQUEST_LINE_CLASSES: readonly DifferenceClass[] = [
  {
    name: "fragment in the target",
    stricter: "ours",
    why: "a fragment never travels; servers that cut it and servers that don't route the request differently",
    source: "RFC 9112 section 3.2; CVE-2023-45539",
    witness: `GET /public#/../private HTTP/1.1\r\n${HOST}`,
    explains: refusal("target", /^\S+ [^ ]*#/),
  },
  {
    name: "authority of a target",
    stricter: "ours",
    why: "user information, empty hosts, odd ports and brackets, in absolute-form and authority-form",
    source: "RFC 9110 sections 4.2.4 and 9.3.6",
    witness: `GET http://a.test@b.test/ HTTP/1.1\r\n${HOST}`,
    explains: refusal("target", /^\S+ [^/*#][^ #]* HTTP/),
  },
  {
    name: "asterisk with more, or without OPTIONS",
    stricter: "ours",
    why: "asterisk-form is for OPTIONS alone, and is one character",
    source: "RFC 9112 section 3.2.4",
    witness: `GET * HTTP/1.1\r\n${HOST}`,
    explains: refusal("target", /^\S+ \*/),
  },
  {
    name: "more than one space in the request line",
    stricter: "ours",
    why: "a recipient that splits at each space finds an empty target",
    source: "RFC 9112 section 3",
    witness: `GET  / HTTP/1.1\r\n${HOST}`,
    explains: refusal("request-line", /^[^\r]* {2}/),
  },
  {
    name: "request line without a version",
    stricter: "ours",
    why: "node reads HTTP/0.9, whatever line end follows, and then headers that HTTP/0.9 never had",
    source: "RFC 9112 section 2.3",
    witness: `GET /\r\n${HOST}`,
    explains: refusal("request-line bare-line-end", /^[^\r\n]*(?<! HTTP\/[0-9]\.[0-9])[\r\n]/),
  },
  {
    name: "another version",
    stricter: "ours",
    why: "node takes HTTP/0.9 and HTTP/2.0 for text like HTTP/1.1",
    source: "RFC 9112 section 2.3",
    witness: `GET / HTTP/2.0\r\n${HOST}`,
    explains: refusal("version", /^[^\r]* HTTP\/(?:0\.9|2\.0)\r/),
  },
  {
    name: "line ends before the request line",
    stricter: "ours",
    why: "node skips any number of CR and LF; we skip two whole CRLF",
    source: "RFC 9112 section 2.2",
    witness: `\nGET / HTTP/1.1\r\n${HOST}`,
    explains: ({ verdicts, word, lead }) =>
      verdicts.startsWith("refused/") &&
      (word === "bare-line-end" || word === "request-line") &&
      (/(?:^|[^\r])\n|\r(?!\n)/.test(lead) || lead.length > 4),
  },
  {
    name: "unknown method",
    stricter: "node",
    why: "any token is a method; what it means is for the server behind",
    source: "RFC 9110 section 9.1",
    witness: `FETCH / HTTP/1.1\r\n${HOST}`,
    explains: nodeRefusal(/^(?!(?:CONNECT|DELETE|GET|HEAD|OPTIONS|POST|PUT) )/),
  },
  {
    name: "scheme with a digit",
    stricter: "node",
    why: "digits, +, - and . are allowed after a scheme's first letter",
    source: "RFC 3986 section 3.1",
    witness: `GET coap2://a.test/ HTTP/1.1\r\n${HOST}`,
    explains: nodeRefusal(/^\S+ [A-Za-z]+[0-9+.-][A-Za-z0-9+.-]*:\/\//),
  },
  {
    name: "judged at its end",
    stricter: "neither",
    why: "node reports a fault byte by byte, we when the head is whole, or by its time limit",
    source: "limits.head_timeout",
    witness: "GET / HTTP/1.1\r\nHost : a.test\r\n",
    explains: ({ verdicts, text }) => verdicts === "incomplete/refused" && !text.includes("\r\n\r\n"),
  },
];

const FIELD_CLASSES: readonly DifferenceClass[] = [
  {
    name: "Host is not a host",
    stricter: "ours",
    why: "empty, with blanks, quotes or a second colon: the server behind could route by another part of it",
    source: "RFC 9112 section 3.2",
    witness: "GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n",
    explains: refusal("host", /\r\nhost:/i),
  },
  {
    name: "Host twice",
    stricter: "ours",
    why: "node keeps the first, others the last",
    source: "RFC 9112 section 3.2",
    witness: `GET / HTTP/1.1\r\nhost: b.test\r\n${HOST}`,
    explains: refusal("host-repeated", /\r\nhost:[^]*\r\nhost:/i),
  },
  {
    name: "upgrade or tunnel without Host",
    stricter: "ours",
    why: "node looks for Host only in requests that it answers itself",
    source: "RFC 9112 section 3.2",
    witness: "CONNECT a.test:443 HTTP/1.1\r\n\r\n",
    explains: refusal("host-missing", /^CONNECT |\r\nUpgrade:/i),
  },
  {
    name: "chunked as the last of a list",
    stricter: "ours",
    why: "only chunked alone is known here: 501 for other codings, 400 for empty or repeated ones",
    source: "RFC 9112 section 6.1",
    witness: `POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n${HOST}`,
    explains: refusal("coding coding-repeated", /\r\ntransfer-encoding:[^\r]*,[^\r]*chunked/i),
  },
  {
    name: "coding in an upgrade or tunnel",
    stricter: "ours",
    why: "node drops the body's framing there, whatever it is; a proxy has to know where the request ends",
    source: "RFC 9110 section 7.8",
    witness: `CONNECT a.test:443 HTTP/1.1\r\nTransfer-Encoding: gzip\r\n${HOST}`,
    explains: refusal("coding coding-repeated", /^CONNECT |\r\nUpgrade:/i),
  },
  {
    name: "empty Transfer-Encoding",
    stricter: "ours",
    why: "node reads no coding; another recipient may take the field's presence for chunked",
    source: "RFC 9112 section 6.3",
    witness: `POST / HTTP/1.1\r\nTransfer-Encoding:\r\n${HOST}`,
    isGoneInLlhttp94: true,
    explains: refusal("coding-repeated", /\r\ntransfer-encoding:[ \t]*\r/i),
  },
  {
    name: "chunked in HTTP/1.0",
    stricter: "ours",
    why: "HTTP/1.0 has no transfer codings: the framing must be taken as faulty",
    source: "RFC 9112 section 6.1",
    witness: `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n${HOST}`,
    explains: refusal("coding-version", /^[^\r]* HTTP\/1\.0\r/),
  },
  {
    name: "body of a GET, HEAD or DELETE in HTTP/1.0",
    stricter: "ours",
    why: "HTTP/1.0 gave it no meaning, and old servers take the body for the next request; haproxy refuses it too",
    source: "RFC 1945 section 8",
    witness: `GET / HTTP/1.0\r\nContent-Length: 1\r\n${HOST}`,
    explains: refusal("body-version", /^(?:GET|HEAD|DELETE) [^\r]* HTTP\/1\.0\r/),
  },
  {
    name: "Content-Length of over 15 digits",
    stricter: "ours",
    why: "parsers that use doubles and parsers that use 64 bits read different numbers",
    source: "RFC 9110 section 8.6",
    witness: `POST / HTTP/1.1\r\nContent-Length: 9007199254740993\r\n${HOST}`,
    explains: refusal("content-length", /\r\ncontent-length:[ \t]*[0-9]{16,}[ \t]*\r/i),
  },
  {
    name: "tab beside a length or a coding",
    stricter: "node",
    why: "optional white space is spaces and tabs; node knows only spaces behind these two",
    source: "RFC 9110 section 5.6.3",
    witness: `POST / HTTP/1.1\r\nContent-Length: 5\t\r\n${HOST}`,
    isGoneInLlhttp94: true,
    explains: nodeRefusal(/\r\n(?:content-length:[ \t]*[0-9]+|transfer-encoding:[ \t]*chunked) *\t[ \t]*\r/i),
  },
  {
    name: "Connection nominates Host",
    stricter: "ours",
    why: "a proxy that obeyed would drop what routes the request",
    source: "RFC 9110 section 7.6.1",
    witness: `GET / HTTP/1.1\r\nConnection: Host\r\n${HOST}`,
    explains: refusal("connection", /\r\nconnection:[^\r]*host/i),
  },
  {
    name: "HTTP/1.0 keep-alive",
    stricter: "ours",
    why: "never kept: a proxy that doesn't know the option passes it on, and both ends wait",
    source: "RFC 9112 appendix C.2.2",
    witness: `GET / HTTP/1.0\r\nConnection: keep-alive\r\n${HOST}`,
    explains: persistence(/^[^\r]* HTTP\/1\.0\r[^]*keep-alive/i),
  },
  {
    name: "Proxy-Connection",
    stricter: "neither",
    why: "node reads it like Connection; it is no field of HTTP, and no proxy may trust it",
    source: "RFC 9112 appendix C.2.2",
    witness: `GET / HTTP/1.1\r\nProxy-Connection: close\r\n${HOST}`,
    explains: persistence(/\r\nproxy-connection:[^\r]*close/i),
  },
  {
    name: "tab beside a Connection option",
    stricter: "ours",
    why: "node knows only spaces there and misses the option",
    source: "RFC 9110 section 5.6.3",
    witness: `GET / HTTP/1.1\r\nConnection: close\t\r\n${HOST}`,
    isGoneInLlhttp94: true,
    explains: persistence(/\r\nconnection:[^\r]*close *\t[ \t]*[,\r]/i),
  },
];

export const DIFFERENCE_CLASSES: readonly DifferenceClass[] = [...REQUEST_LINE_CLASSES, ...FIELD_CLASSES];
