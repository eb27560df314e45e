import { EventPattern } from '@nestjs/microservices';
import { UseFilters, applyDecorators, Catch, type ExceptionFilter } from '@nestjs/common';
import { throwError } from 'rxjs';

/** Hands the error on as it is: the consumer's loop tells trouble that passes from a message that is bad. */
@Catch()
class HandOn implements ExceptionFilter {
  catch(thrown: unknown): unknown {
    return throwError(() => thrown);
  }
}

const SEPARATOR = '|';

export interface ConsumesOptions {
  /** Records handed over at once; the payload is always a list, in order, of one partition. Default 1. */
  readonly maxBatch?: number;
}

/**
 * A consumer of one topic or several: the method gets `BusRecord[]` of one partition in order, in the group `weir.<service>.<consumer>`; resolving commits
 * the offsets. A pattern names its group, so that services sharing a process each get every record.
 *
 * @param consumer `<service>.<name>`
 */
export function Consumes(topics: string | readonly string[], consumer: string, options: ConsumesOptions = {}): MethodDecorator {
  const patterns = [topics].flat().map((topic) => `weir.${consumer}${SEPARATOR}${topic}`);
  // Nest takes a list of patterns, though its type says one
  return applyDecorators(EventPattern<string>(patterns as unknown as string, { maxBatch: options.maxBatch ?? 1 }), UseFilters(new HandOn()));
}

export function readPattern(pattern: string): { group: string; topic: string } {
  const [group, topic] = pattern.split(SEPARATOR);
  if (group === undefined || topic === undefined) throw new Error(`not a consumer's pattern: ${pattern}; use @Consumes`);
  return { group, topic };
}
