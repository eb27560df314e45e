import { Controller, Get, Query } from '@nestjs/common';
import { notFound } from '@weir/kernel';
import { Describes, Needs, parse } from '@weir/service-host';
import { describe, type Catalog, type CatalogDescription } from '@weir/upstream-catalog';
import { z } from 'zod';

const which = z.strictObject({ upstream: z.string().max(64).optional() });

export class Catalogs {
  readonly described: readonly CatalogDescription[];

  constructor(catalogs: readonly Catalog[]) {
    this.described = catalogs.map(describe);
  }
}

@Controller('v1')
export class CatalogController {
  constructor(private readonly catalogs: Catalogs) {}

  @Get('catalog')
  @Needs('anyone', 'What can be asked of an upstream, what it costs, how long it is kept')
  @Describes({ query: which, responses: { 200: { description: 'The endpoints with parameters, credits, lifetimes and required fields; the ids of all upstreams' } } })
  get(@Query(parse(which)) { upstream }: z.infer<typeof which>) {
    const { described } = this.catalogs;
    const found = upstream === undefined ? described[0] : described.find(({ id }) => id === upstream);
    if (found === undefined) throw notFound('upstream');
    return { ...found, upstreams: described.map(({ id }) => id) };
  }
}
