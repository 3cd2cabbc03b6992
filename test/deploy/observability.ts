/** deploy/grafana and deploy/prometheus as data: every panel's queries, every rule's expression. */

import { readFileSync } from "node:fs";
import { at, readYamlFile } from "./deployment.ts";

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: Panel["datasource"];
    readonly exemplar?: boolean;
  }[];
  /** Of a row that is closed: what is in it. */
  readonly panels?: readonly Panel[];
  readonly collapsed?: boolean;
}

export interface Dashboard {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly definition?: string;
      /** What "All" is; where there is none, Grafana puts all values in. */
      readonly allValue?: string;
    }[];
  };
}

export interface Rule {
  readonly file: string;
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export const RULE_FILES = ["deploy/prometheus/rules.yml", "deploy/prometheus/alerts.yml"];

export function readDashboard(): Dashboard {
  return JSON.parse(readFileSync("deploy/grafana/dashboards/fedtrace.json", "utf8")) as Dashboard;
}

/** Rows too, and what is in those that are closed. */
export function allPanels({ panels }: Pick<Dashboard, "panels">): readonly Panel[] {
  return panels.flatMap((panel) => [panel, ...allPanels({ panels: panel.panels ?? [] })]);
}

export function readRules(file: string): readonly Rule[] {
  const groups = readYamlFile(file)["groups"] as readonly { readonly rules: readonly Omit<Rule, "file">[] }[];
  return groups.flatMap(({ rules }) => rules.map((rule) => ({ file, ...rule })));
}

/** What a span leads to in Grafana. */
export function readSpanQueries(): readonly { readonly name: string; readonly query: string }[] {
  const { datasources } = readYamlFile("deploy/grafana/provisioning/datasources/fedtrace.yml") as {
    datasources: readonly unknown[];
  };
  return datasources.flatMap(
    (source) =>
      (at(source, "jsonData", "tracesToMetrics", "queries") ?? []) as readonly {
        name: string;
        query: string;
      }[],
  );
}
