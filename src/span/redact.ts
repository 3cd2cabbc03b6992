/**
 * What a URL may not carry into a span: values of query parameters that are secrets, and user information.
 *
 * The rule is OpenTelemetry's (https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/: `url.query`,
 * `url.full`): the key stays, the value becomes REDACTED. Ours is wider than their list, and meets keys
 * in any letter case and percent-encoded, since a server reads those too and the secret is somebody else's.
 */

/** As the conventions spell it. */
const REDACTED = "REDACTED";

/**
 * Keys whose value is a secret, in lower case. The first seven are OpenTelemetry's default list (semconv 1.45);
 * what each is:
 */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  // AWS request signing: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
  "x-amz-signature",
  "x-amz-credential",
  "x-amz-security-token",
  "awsaccesskeyid", // S3, signature version 2; also Google's interoperability mode
  "signature", // S3, CloudFront, Google: signed URLs
  "sig", // Azure shared access: learn.microsoft.com/azure/storage/common/storage-sas-overview#sas-token
  "x-goog-signature", // cloud.google.com/storage/docs/access-control/signed-urls
  "x-goog-credential",
  "googleaccessid",
  "policy", // CloudFront: with the signature, the grant itself
  "key-pair-id",
  // OAuth 2 and OpenID: RFC 6750 section 2.3, RFC 6749 sections 4.1.2 and 4.1.3, RFC 7636, RFC 7521, OpenID Connect Core 3.1
  "access_token", // also Matrix, client-server API "using access tokens", and openid/userinfo of the federation API
  "refresh_token",
  "id_token",
  "id_token_hint",
  "client_secret",
  "client_assertion",
  "code",
  "code_verifier",
  "assertion",
  "samlrequest", // SAML 2.0 bindings, section 3.4
  "samlresponse",
  "ticket", // CAS protocol 3.0, section 2.5
  // Matrix: login and validation tokens (client-server API: m.login.token, requestToken, 3pid validation)
  "logintoken",
  "token",
  "sid",
  // Habits of many services
  "api_key",
  "apikey",
  "api-key",
  "key", // Google's API key, and most others'
  "auth",
  "auth_token",
  "authorization",
  "jwt",
  "hmac",
  "secret",
  "password",
  "passwd",
  "pwd",
  "session",
  "sessionid",
  "session_id",
]);

const AMPERSAND = 0x26;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUESTION_MARK = 0x3f;

/**
 * A parameter starts after `&`, and after `;` and `?` because some servers split there too. A secret's value
 * goes on to the next `&` whatever stands in it, so every reading loses it.
 *
 * @param query without the leading "?", as received; any text
 * @returns the same text with each secret's value replaced by REDACTED. Linear in the query, never throws.
 */
export function redactQuery(query: string): string {
  let redacted = "";
  let copiedTo = 0;
  let keyStart = 0;
  let isInKey = true;
  for (let index = 0; index < query.length; index++) {
    const char = query.charCodeAt(index);
    if (char === AMPERSAND || char === SEMICOLON || char === QUESTION_MARK) {
      keyStart = index + 1;
      isInKey = true;
    } else if (char === EQUALS && isInKey) {
      isInKey = false;
      if (!isSecretKey(query.slice(keyStart, index))) continue;
      redacted += query.slice(copiedTo, index + 1) + REDACTED;
      const ampersand = query.indexOf("&", index);
      copiedTo = ampersand === -1 ? query.length : ampersand;
      index = copiedTo - 1; // The loop goes on at the ampersand.
    }
  }
  return copiedTo === 0 ? query : redacted + query.slice(copiedTo);
}

/** @param authority `[userinfo@]host[:port]`; user and password are replaced, each that is there. */
export function redactAuthority(authority: string): string {
  const at = authority.lastIndexOf("@");
  if (at === -1) return authority;
  const user = authority.slice(0, at).includes(":") ? `${REDACTED}:${REDACTED}` : REDACTED;
  return user + authority.slice(at);
}

function isSecretKey(key: string): boolean {
  const plain = key.includes("%")
    ? key.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : key;
  return SECRET_KEYS.has(plain.toLowerCase());
}
