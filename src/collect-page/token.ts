/**
 * The bearer token, kept for this tab alone (sessionStorage): it is gone when the tab is closed. Where a browser keeps
 * nothing (its storage is turned off), it is asked for at each load.
 */

const KEY = "fedtrace-collect-token";

export function storedToken(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

/** @param token undefined: forget it */
export function storeToken(token: string | undefined): void {
  try {
    if (token === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // The page's own memory holds it until it is left.
  }
}
