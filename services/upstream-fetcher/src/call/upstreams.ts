import type { TokenMode } from '@weir/access';
import type { ConfiguredUpstream } from '@weir/service-host';
import type { FetcherConfig } from '../config';
import { createUpstream, type Upstream } from './upstream';

export interface Upstreams {
  /** By catalog, and by the token's mode. */
  readonly byCatalog: ReadonlyMap<string, Readonly<Record<TokenMode, Upstream>>>;
  close(): Promise<void>;
}

/** The connections to each upstream. Test tokens' calls go to the simulator, which stands in for the first one. */
export function openUpstreams(configured: readonly ConfiguredUpstream[], config: FetcherConfig): Upstreams {
  const opened: Upstream[] = [];
  const at = (url: string): Upstream => {
    const upstream = createUpstream({
      url,
      connectTimeoutMs: config.upstreamTimeoutMs,
      timeoutMs: config.upstreamTimeoutMs,
      connections: config.upstreamConnections,
      maxBodyBytes: config.maxBodyBytes,
    });
    opened.push(upstream);
    return upstream;
  };
  return {
    byCatalog: new Map(
      configured.map(({ catalog, url }, index) => {
        const live = at(url);
        return [catalog.id, { live, test: index === 0 && config.simulatorUrl !== undefined ? at(config.simulatorUrl) : live }];
      }),
    ),
    close: async () => void (await Promise.all(opened.map((upstream) => upstream.close()))),
  };
}
