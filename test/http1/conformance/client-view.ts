/** What a client sees on its connection: the answers in it, read strictly. Interim ones are left out. */

interface SeenAnswer {
  readonly status: number;
  /** "METHOD host path" as the upstream understood it; undefined where the proxy answered. */
  readonly answers: string | undefined;
  readonly head: string;
  readonly body: string;
}

/**
 * @param text all that came, latin1
 * @param methods of the requests, in order; GET where there are fewer
 * @returns whole answers, and the bytes that are none
 */
export function readAnswers(
  text: string,
  methods: readonly string[] = [],
): { readonly answers: readonly SeenAnswer[]; readonly rest: string } {
  const answers: SeenAnswer[] = [];
  for (let at = 0; ;) {
    const headEnd = text.indexOf("\r\n\r\n", at) + 4;
    if (headEnd === 3) return { answers, rest: text.slice(at) };
    const head = text.slice(at, headEnd);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? Number.NaN);
    const isBodiless = methods[answers.length] === "HEAD" || status === 204 || status === 304 || status < 200;
    const end = isBodiless ? headEnd : endOfBody(text, head, headEnd);
    if (Number.isNaN(status) || end === undefined) return { answers, rest: text.slice(at) };
    if (status >= 200) {
      const answered = /^x-answers: (.*)\r$/im.exec(head)?.[1];
      answers.push({ status, answers: answered, head, body: text.slice(headEnd, end) });
    }
    at = end;
  }
}

/** Undefined where it has not come; a body that ends with the connection has no end here. */
function endOfBody(text: string, head: string, from: number): number | undefined {
  if (/^transfer-encoding: chunked\r$/im.test(head)) {
    for (let at = from; ;) {
      const [line, size] = /^([0-9a-f]+)[^\r]*\r\n/i.exec(text.slice(at, at + 1100)) ?? [];
      if (line === undefined || size === undefined) return undefined;
      at += line.length + Number.parseInt(size, 16) + 2;
      if (Number.parseInt(size, 16) !== 0) continue;
      const trailersEnd = text.indexOf("\r\n", at - 2) === at - 2 ? at : text.indexOf("\r\n\r\n", at - 2) + 4;
      return trailersEnd === 3 || trailersEnd > text.length ? undefined : trailersEnd;
    }
  }
  const length = /^content-length: (\d+)\r$/im.exec(head)?.[1];
  const end = from + Number(length ?? Number.NaN);
  return end <= text.length ? end : undefined;
}
