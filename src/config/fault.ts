/**
 * What is wrong with a config, as a value: where, which key, what is wrong and what is allowed.
 * Warnings have the same form. A message never repeats a value: it may be a secret that slipped into a wrong key.
 */

import { formatKeyPath, type KeyPath } from "./key-path.ts";

/** A fault or a warning. */
export interface Fault {
  /** The file as it was named on the command line; `environment` for what a variable says. */
  readonly file: string;
  /** From 1; 0 where there is no line. */
  readonly line: number;
  /** From 1, in UTF-16 units: the value's; the key's where the key is the fault. */
  readonly column: number;
  /** As formatKeyPath prints it, or a variable's name. */
  readonly key: string;
  /** What is wrong and what is allowed, without the key and without a full stop. */
  readonly message: string;
}

/** A line and a column, each from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A fault that knows its key but not yet its line. */
export interface Finding {
  readonly path: KeyPath;
  /** Where it stands, if that isn't where its path leads. */
  readonly at?: Place;
  /** The fault is the key itself, not its value. */
  readonly isAboutKey?: boolean;
  readonly message: string;
}

/** A value, or what is wrong with the text that should have been one. */
export type Parsed<T> = { readonly value: T } | { readonly refused: string };

/** `FILE:LINE:COLUMN: key: what is wrong and what is allowed`, on one line. */
export function formatFault({ file, line, column, key, message }: Fault): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return `${place}: ${key}: ${message}`;
}

/** Turns what names a path into what names a line, in the order of the file. */
export function locateFindings(
  findings: readonly Finding[],
  file: string,
  locate: (path: KeyPath, isAboutKey: boolean) => Place,
): Fault[] {
  return findings
    .map(({ path, at, isAboutKey = false, message }) => ({
      file,
      ...(at ?? locate(path, isAboutKey)),
      key: formatKeyPath(path),
      message,
    }))
    .sort((a, b) => a.line - b.line || a.column - b.column);
}
