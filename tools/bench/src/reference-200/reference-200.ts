import type { Bench, Sample } from '../bench';
import { NIGHT_ENDS, fewestKeys, simulateDay, type DayResult, type NightJob } from './day';

const DAY = 'the day of 200 tenants';
const CAP = 5_000;
const KEYS_MOST = 12;

/**
 * The article's day in simulated time: real limiter, cache, call path and quotes; the clock, the network and the bus are simulated. One
 * day is one turn, and every turn is the same day.
 */
export const reference200: Bench = {
  name: 'reference-200',
  title: "the article's day, simulated: 120 trial tenants on platform keys, 80 with their own; caps, both equations, quotes, and how many keys it takes",
  open({ progress }) {
    let day: Promise<Sample> | undefined;
    return Promise.resolve({
      sides: [{ name: DAY, run: () => (day ??= simulated(progress)) }],
      gates: [
        { title: 'trial tenants above their cap', value: (resultOf) => resultOf(DAY)?.figures['above the cap'], atMost: 0 },
        { title: "credits by which the upstream's ledger and the settlements differ", value: (resultOf) => resultOf(DAY)?.figures['keys off by'], atMost: 0 },
        { title: 'credits by which what tenants were told and what they are charged differ', value: (resultOf) => resultOf(DAY)?.figures['tenants off by'], atMost: 0 },
        { title: 'second reads within six hours that were free, %', value: (resultOf) => resultOf(DAY)?.figures['second reads free, %'], atLeast: 100 },
        { title: 'credits that second reads within six hours cost', value: (resultOf) => resultOf(DAY)?.figures['credits of second reads'], atMost: 0 },
        { title: "quoted credits of the worst of the night's jobs, off by %", value: (resultOf) => resultOf(DAY)?.figures['worst job’s credits off by, %'], atMost: 10 },
        { title: "quoted duration of the night's jobs, off by % (median)", value: (resultOf) => resultOf(DAY)?.figures['quoted duration off by, %'], atMost: 10 },
        { title: "the night's jobs whose quoted duration was right within 10%, %", value: (resultOf) => resultOf(DAY)?.figures['durations within 10%, %'], atLeast: 90 },
      ],
      close: () => Promise.resolve(),
    });
  },
};

/** With as few platform keys as bring every job home before the night ends. */
async function simulated(progress: (line: string) => void): Promise<Sample> {
  const start = performance.now();
  for (let keys = fewestKeys(); ; keys++) {
    progress(`with ${keys} platform keys`);
    const day = await simulateDay(keys, progress);
    const late = day.jobs.filter(({ trial, finishedAt }) => trial && finishedAt > NIGHT_ENDS).length;
    if (late === 0 || keys >= KEYS_MOST) return { operations: day.calls, seconds: (performance.now() - start) / 1_000, figures: figuresOf(day, keys, late) };
    progress(`${late} jobs were not done by 06:00`);
  }
}

function figuresOf(day: DayResult, keys: number, late: number): Record<string, number> {
  const off = day.jobs.map((job) => 100 * Math.abs(durationOf(job, job.quotedFinish) / durationOf(job, job.finishedAt) - 1)).sort((a, b) => a - b);
  const sum = (of: (job: NightJob) => number) => day.jobs.reduce((total, job) => total + of(job), 0);
  const worstCredits = Math.max(...day.jobs.map(({ quotedCredits, charged }) => Math.abs(quotedCredits - charged) / Math.max(1, charged)));
  return {
    'platform keys': keys,
    'jobs late': late,
    'calls': day.calls,
    'credits on platform keys': day.platformCredits,
    'above the cap': day.trialCredits.filter((credits) => credits > CAP).length,
    'refused by cap': day.refusedByCap,
    'refused otherwise': day.refusedOtherwise,
    'keys off by': day.keysOffBy,
    'tenants off by': day.tenantsOffBy,
    'second reads free, %': (100 * day.secondReadsFree) / Math.max(1, day.secondReads),
    'credits of second reads': day.secondReadCredits,
    'quoted credits off by, %': (100 * Math.abs(sum(({ quotedCredits }) => quotedCredits) - sum(({ charged }) => charged))) / sum(({ charged }) => charged),
    'worst job’s credits off by, %': 100 * worstCredits,
    'quoted duration off by, %': off[Math.floor(off.length / 2)] ?? NaN,
    'quoted duration off by, % (p90)': off[Math.floor(off.length * 0.9)] ?? NaN,
    'durations within 10%, %': (100 * off.filter((percent) => percent <= 10).length) / off.length,
    'last job done, h': Math.max(...day.jobs.map(({ finishedAt }) => finishedAt % 86_400_000)) / 3_600_000,
  };
}

const durationOf = ({ startedAt }: NightJob, at: number | undefined): number => (at === undefined ? Infinity : Math.max(1, at - startedAt));
