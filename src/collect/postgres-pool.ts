/**
 * Connections to PostgreSQL: few, with a time limit on whatever is asked, and made anew where they break. The one file that knows
 * the package pg.
 */

import type { PoolClient } from "pg";
import type { Row } from "./sql.ts";

/** Runs one statement; its values stand as `?`, in order. A list is an array of the database. */
export type Transaction = (sql: string, values: readonly unknown[]) => Promise<readonly Row[]>;

export interface PostgresPool {
  readonly query: Transaction;
  /**
   * Tried again where it lost against another transaction.
   * @param begin the statement
   */
  inTransaction<T>(begin: string, work: (query: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Batches are written one after the other; beside them there are a summary, a probe, retention and two exports. */
const CONNECTIONS_MAX = 6;
const CONNECT_TIMEOUT_MS = 5000;
/** A batch takes tens of milliseconds, and a summary of millions of rows some seconds. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** Where the server says nothing any more. */
const ANSWER_TIMEOUT_MS = 12_000;
/** Deadlock, and a transaction that another one has overtaken: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const LOST = new Set(["40P01", "40001"]);
const TRIES_MAX = 3;

/** @param onLost told why a connection that nobody used broke */
export async function createPostgresPool(
  url: string,
  onLost: (reason: string) => void,
): Promise<PostgresPool> {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    application_name: "fedtrace collect",
    keepAlive: true,
  });
  pool.on("error", (error) => onLost(error.message));

  async function tryOnce<T>(begin: string, work: (query: Transaction) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    let broken: Error | undefined;
    // A connection that breaks while it is lent says so here as well, and would end the process if nobody listened.
    const onError = (error: Error): void => void (broken = error);
    client.on("error", onError);
    try {
      await client.query(begin);
      const result = await work(queryOf(client));
      await client.query("COMMIT");
      return result;
    } catch (error) {
      await client.query("ROLLBACK").catch((failed: unknown) => {
        broken = failed instanceof Error ? failed : new Error(String(failed));
      });
      throw error;
    } finally {
      client.off("error", onError);
      client.release(broken);
    }
  }

  return {
    query: queryOf(pool),
    async inTransaction(begin, work) {
      for (let tries = 1; ; tries++) {
        try {
          return await tryOnce(begin, work);
        } catch (error) {
          if (tries === TRIES_MAX || !LOST.has(codeOf(error))) throw error;
        }
      }
    },
    close: () => pool.end(),
  };
}

function queryOf(client: Pick<PoolClient, "query">): Transaction {
  return async (sql, values) => {
    const result = await client.query<Record<string, unknown>>(numbered(sql), [...values]);
    return result.rows;
  };
}

/** No statement has a `?` of its own. */
function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll("?", () => `$${++count}`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
