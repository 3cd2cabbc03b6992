/** A module with two exporters and more, for the configs beside it and for test/export/foreign-exporter.test.ts. */

export class First {
  export(spans, resultCallback) {
    resultCallback({ code: 0 });
  }
  shutdown() {
    return Promise.resolve();
  }
}

export class Second extends First {}

/** The same class by another name is no second candidate. */
export { First as Renamed };

export class NoExporter {
  export() {}
}

export const text = "no class";
