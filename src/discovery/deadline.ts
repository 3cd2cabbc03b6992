/** A wait for others with an end: work that is told to stop, and not waited for, when its time is up. */

interface Outcomes<T> {
  /** Where the time was not enough, whatever the work makes of it. */
  readonly late: T;
  /** Where the work rejects. */
  readonly failed: T;
}

/** @param work its signal is aborted when the time is up; what has no signal goes on unseen. Never rejects. */
export async function withDeadline<T>(
  timeoutMs: number,
  outcomes: Outcomes<T>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), timeoutMs).unref();
  // First to hear of it, so that what the abort breaks off is no fault of the host's.
  const aborted = new Promise<T>((resolve) => {
    end.signal.addEventListener("abort", () => resolve(outcomes.late), { once: true });
  });
  try {
    return await Promise.race([work(end.signal), aborted]);
  } catch {
    return outcomes.failed;
  } finally {
    clearTimeout(timer);
  }
}
