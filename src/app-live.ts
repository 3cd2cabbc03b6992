/**
 * What a reload replaces, made of a config: limits, the border's rules, who checks proofs, tables, and both sides. A part of the
 * composition root (app.ts), which swaps it as a whole.
 */

import type { Fixed } from "./app.ts";
import { type LiveOutbound } from "./app-outbound.ts";
import type { Config } from "./config/merge.ts";
import type { FieldTable } from "./http1/fields.ts";
import type { ListenerLimits } from "./http1/listener.ts";
import type { UpstreamLimits } from "./http1/upstream-member.ts";
import { type Direction } from "./metrics/proxy-metrics.ts";
import { createIdentify } from "./peer/identify.ts";
import type { Prover } from "./proof/prover.ts";
import { createNetworks } from "./peer/networks.ts";
import { createTrustedProxies, type TrustedProxies } from "./peer/trusted-proxies.ts";
import { createWhitelist } from "./peer/whitelist.ts";
import type { BorderPolicy } from "./proxy/border.ts";
import { createProxyFields } from "./proxy/field-tags.ts";
import { createInbound } from "./proxy/inbound.ts";
import { createOutboundIds } from "./proxy/outbound-ids.ts";
import type { Side } from "./proxy/side.ts";
import type { UsageCounts } from "./proxy/usage-counts.ts";
import { ACTIVITYPUB_ROUTES } from "./span/activitypub-routes.ts";
import { MATRIX_ROUTES } from "./span/matrix-routes.ts";
import { createRouter, type MatchRoute } from "./span/routes.ts";

/** What a reload replaces, all of it at once. */
export interface Live {
  readonly config: Config;
  readonly limits: ListenerLimits & UpstreamLimits;
  readonly policy: BorderPolicy;
  readonly prover: Prover | undefined;
  /** Undefined where usage reports are off. */
  readonly usage: UsageCounts | undefined;
  readonly fields: FieldTable;
  readonly matchRoute: MatchRoute;
  /** In front of the inbound listener; undefined: none. */
  readonly trustedProxies: TrustedProxies | undefined;
  readonly sides: Readonly<Partial<Record<Direction, Side>>>;
  /** From a target of the way out to its addresses. */
  readonly locate: LiveOutbound["locate"] | undefined;
}

/** @throws FedtraceError CONFIG_INVALID that names what can't be used; what runs has not changed then */
export async function createLive(config: Config, fixed: Fixed): Promise<Live> {
  const whitelist = await createWhitelist(config.whitelist);
  const outboundIds =
    config.propagation.outboundIds === "shared"
      ? undefined
      : await createOutboundIds(fixed.outboundIdKey, fixed.tools.random);
  const matchRoute = createRouter([
    ...config.routes.map(({ method, template }) => ({ method, template })),
    ...MATRIX_ROUTES,
    ...ACTIVITYPUB_ROUTES,
  ]);
  const sides = await createSides(config, fixed);
  // What changes what runs comes last.
  const sampling = await fixed.sampling.use(config);
  return {
    config,
    limits: { ...config.limits, headLines: config.limits.headers },
    policy: {
      whitelist,
      authenticate: config.inbound?.authenticate ?? "signature",
      authenticateBodyMax: config.inbound?.authenticateBodyMax ?? 0,
      formats: config.propagation.formats,
      outboundIds,
      ...sampling,
    },
    prover: fixed.proofs.use(config),
    usage: fixed.usage.use(config),
    fields: createProxyFields(config.propagation.remove),
    matchRoute,
    ...sides,
  };
}

async function createSides(
  { inbound, outbound }: Config,
  { wayOut, upstreams, metrics, throttledLog }: Fixed,
): Promise<Pick<Live, "sides" | "locate" | "trustedProxies">> {
  const trustedProxies = inbound && createTrustedProxies(inbound.trustedProxies);
  const liveOutbound = outbound && (await wayOut?.createLive(outbound));
  const sides = {
    ...(inbound && {
      inbound: createInbound({
        upstream: upstreams.own,
        isTls: inbound.tls !== undefined,
        hasClientCa: inbound.tls?.clientCaFile !== undefined,
        identify: createIdentify({
          order: inbound.identify,
          networks: createNetworks(inbound.networks),
        }),
        trusted: trustedProxies,
        onForwardedRefused(reason, proxy) {
          metrics.forwardedRefused(reason);
          throttledLog.info("a proxy's word about its client is not believed", { reason, proxy });
        },
      }),
    }),
    ...(liveOutbound && { outbound: liveOutbound.side }),
  };
  return { sides, locate: liveOutbound?.locate, trustedProxies };
}
