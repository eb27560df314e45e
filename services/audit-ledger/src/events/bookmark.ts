import { invalid } from '@weir/kernel';
import { isByTime, type Bookmark, type EventFilter } from './event-pages';

const TEXT = /^(\d{1,15})(?:@(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z))?$/;

/** `17`, or `17@2026-11-24T20:31:07.123456Z` where pages follow the time. */
export const bookmarkText = ({ position, recordedAt }: Bookmark, filter: EventFilter): string =>
  isByTime(filter) ? `${position}@${recordedAt}` : String(position);

/** @throws AppError `invalid-request` for a cursor that is none, or is of another search */
export function parseBookmark(text: string, filter: EventFilter): Bookmark {
  const [, position, recordedAt] = TEXT.exec(text) ?? [];
  const isOfThis = position !== undefined && (recordedAt !== undefined) === isByTime(filter);
  if (!isOfThis || (recordedAt !== undefined && !isInstant(recordedAt)))
    throw invalid('The cursor is not one of this search. Take nextCursor of its last page, with the same filters.');
  return { position: Number(position), recordedAt: recordedAt ?? '' };
}

const isInstant = (text: string): boolean => {
  const ms = Date.parse(text);
  return ms >= 0 && new Date(ms).toISOString().slice(0, 19) === text.slice(0, 19);
};
