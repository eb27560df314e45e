import type { Distributed } from '@weir/stack';
import { invariant, type Invariant } from '../scenario';
import { until, type Operator } from '../trial-to-own-key/operator';
import { call, type Caller } from './tenants';

const CALLS = 1_000;

/** A tenant with one credit left of its day, and very many calls at once, each of which would cost it. */
export async function callForTheLastCredit(weir: Distributed, operator: Operator, tenant: Caller): Promise<Invariant> {
  const { day } = await operator('GET', `/v1/tenants/${tenant.id}/quota`);
  await operator('PUT', `/v1/tenants/${tenant.id}/limits/daily-quota`, { limit: day.usedCredits + 1 });
  await operator('PUT', `/v1/tenants/${tenant.id}/limits/concurrency`, { limit: CALLS });
  // a call from the cache costs nothing and says which quota it met
  await until(() => policy(weir, tenant), (said) => said.includes(`"daily-quota";q=${day.usedCredits + 1};`) && said.includes(`"concurrency";q=${CALLS}`));
  const answers = await Promise.all(Array.from({ length: CALLS }, (_, n) => call(weir.url, tenant.token, `last.credit.${n}`)));
  const served = answers.filter(({ status }) => status === 200).length;
  const refused = answers.filter(({ status }) => status === 429).length;
  const after = await until(() => operator('GET', `/v1/tenants/${tenant.id}/quota`), ({ day: { remainingCredits } }) => remainingCredits === 0);
  return invariant(`M10 ${CALLS} calls at once with quota for one: one is answered`, served === 1 && refused === CALLS - 1 && after.day.usedCredits === day.usedCredits + 1, { served, refused, after: after.day });
}

async function policy(weir: Distributed, { token }: Caller): Promise<string> {
  const answer = await fetch(`${weir.url}/tiklive/userinfo-by-username/?username=tiktok`, { headers: { authorization: `Bearer ${token}` } });
  await answer.arrayBuffer();
  return answer.headers.get('ratelimit-policy') ?? '';
}
