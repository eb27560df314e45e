import { mavenServersInstalled } from '../install/jars';
import { assertPresent, missing, type Need } from '../install/needs';
import { engineAnswers } from './container';
import type { Environment } from './part';
import { redisOnPath } from './redis';

/**
 * Says all that is lacking for these parts at once, before any of them is installed or started: that takes its time. A container
 * engine does without.
 *
 * @throws AppError `tools-missing`
 */
export function assertToolsFor(parts: readonly string[], cache: string, environment: Environment): void {
  const needs: Need[] = [];
  const wanted = (part: string, given: string) => parts.includes(part) && !environment[given];
  const kafka = wanted('kafka', 'WEIR_KAFKA_BROKERS');
  if (kafka) needs.push('java');
  if ((kafka || (wanted('redis', 'WEIR_REDIS_URL') && redisOnPath() === undefined)) && !mavenServersInstalled(cache)) needs.push('java', 'maven');
  if (wanted('kms', 'AWS_ENDPOINT_URL')) needs.push('python');
  if (missing(needs).length > 0 && !engineAnswers()) assertPresent(needs, 'the stack');
}
