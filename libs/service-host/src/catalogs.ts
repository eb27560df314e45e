import { readFileSync } from 'node:fs';
import { AppError } from '@weir/kernel';
import { readCatalogs, tiklive, type Catalog } from '@weir/upstream-catalog';
import { optionalText, type Settings } from './settings';

/** Of the services that know upstreams: what each may be asked is data, and so is how many there are. */
export interface CatalogConfig {
  readonly catalogFiles: string | undefined;
  readonly upstreamUrls: string | undefined;
}

export const catalogSettings: Settings<CatalogConfig> = {
  catalogFiles: optionalText('WEIR_CATALOGS', 'Files with the catalogs of further upstreams, JSON, with commas between them; docs/catalogs.md'),
  upstreamUrls: optionalText('WEIR_UPSTREAM_URLS', "Where calls of further upstreams go: <catalog>=<url>, with commas between them; else to the catalog's origin"),
};

export interface ConfiguredUpstream {
  readonly catalog: Catalog;
  readonly url: string;
}

/**
 * TikLiveAPI first, then those that are configured.
 *
 * @param firstUrl where the first one's calls go; undefined: to its origin
 * @throws AppError `catalog-invalid`, `bad-configuration`
 */
export function openCatalogs(config: CatalogConfig, firstUrl: string | undefined): readonly ConfiguredUpstream[] {
  const further = listed(config.catalogFiles).map((place) => ({ place, text: textOf(place) }));
  const catalogs = readCatalogs(tiklive, further);
  const urls = new Map(listed(config.upstreamUrls).map(pairOf));
  for (const id of urls.keys()) if (!catalogs.some((catalog) => catalog.id === id)) throw bad(`WEIR_UPSTREAM_URLS: there is no catalog '${id}'`);
  return catalogs.map((catalog, index) => ({ catalog, url: urls.get(catalog.id) ?? (index === 0 ? firstUrl : undefined) ?? catalog.origin }));
}

const listed = (text: string | undefined): string[] => text?.split(',').map((part) => part.trim()).filter((part) => part !== '') ?? [];

function textOf(place: string): string {
  try {
    return readFileSync(place, 'utf8');
  } catch (error) {
    throw bad(`WEIR_CATALOGS: ${place} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

function pairOf(text: string): [string, string] {
  const [, id = '', url = ''] = /^([a-z][a-z0-9-]*)=(.+)$/.exec(text) ?? [];
  if (!URL.canParse(url)) throw bad(`WEIR_UPSTREAM_URLS: '${text}' is not <catalog>=<url>`);
  return [id, url];
}

const bad = (why: string): AppError => new AppError('bad-configuration', 'invalid', `bad configuration: ${why}`);
