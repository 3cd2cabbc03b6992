/**
 * Whether a client may use the way out: `outbound.shared_secret`, in `Proxy-Authorization`.
 *
 * As `Bearer SECRET`, which is what Synapse sends to the workers it federates through; or as the password of `Basic`
 * (RFC 7617), since that is all that `http_proxy` and `https_proxy` variables can say (`http://any:SECRET@127.0.0.1:3128`).
 */

import type { Answer } from "./answers.ts";
import type { RequestFields } from "./request-fields.ts";

/** @param secret undefined: everybody may */
export async function createAdmission(
  secret: string | undefined,
): Promise<(fields: RequestFields) => Answer | undefined> {
  if (secret === undefined) return () => undefined;
  const isSecret = await compareWith(secret);
  return ({ proxyAuthorization: [sent = "", ...more] }) => {
    const token = tokenOf(sent);
    return token !== undefined && more.length === 0 && isSecret(token)
      ? undefined
      : { code: "PROXY_SECRET_WRONG" };
  };
}

function tokenOf(sent: string): string | undefined {
  const [, scheme = "", credentials = ""] = /^(Bearer|Basic) +(.+)$/i.exec(sent) ?? [];
  if (scheme.toLowerCase() !== "basic") return scheme === "" ? undefined : credentials;
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(credentials, "base64").toString("latin1")) ?? [];
  return password;
}

/**
 * Both sides are hashed, so that neither the length nor the first wrong byte shows in the time it takes. node:crypto
 * takes its share of the start-up time, so only those pay who have a secret.
 */
async function compareWith(secret: string): Promise<(token: string) => boolean> {
  const { createHash, timingSafeEqual } = await import("node:crypto");
  const digest = (text: string): Buffer => createHash("sha256").update(text, "latin1").digest();
  const expected = digest(secret);
  return (token) => timingSafeEqual(digest(token), expected);
}
