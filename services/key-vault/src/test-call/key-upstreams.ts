import type { Catalog } from '@weir/upstream-catalog';
import { unknownUpstream } from '../errors';
import type { AskBalance } from '../platform-pool/credit-watch';
import type { Examiner } from './examiner';

/** Where keys of one upstream are tried, and asked for what is left. */
export interface KeyUpstream {
  readonly catalog: Catalog;
  readonly examiner: Examiner;
  readonly ask: AskBalance;
}

/** The upstreams that keys may be of, by the ids of their catalogs. */
export class KeyUpstreams {
  constructor(private readonly upstreams: readonly KeyUpstream[]) {}

  /** @param id undefined: the first one. @throws AppError `unknown-upstream` */
  of(id: string | undefined): KeyUpstream {
    const found = id === undefined ? this.upstreams[0] : this.upstreams.find(({ catalog }) => catalog.id === id);
    if (found === undefined) throw unknownUpstream(id ?? '', this.upstreams.map(({ catalog }) => catalog.id));
    return found;
  }
}
