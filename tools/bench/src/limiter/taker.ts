import { redisLimiterStore } from '@weir/limiter';
import { Redis } from 'ioredis';
import { outstanding } from './outstanding';
import { LIMITS, type Order, type Taken } from './processes';

// One of the processes that take from one bucket: told how, it answers how many it was given.
process.once('message', (order: Order) => {
  void (async () => {
    const redis = new Redis(order.url);
    const store = redisLimiterStore(redis, { prefix: 'bench' });
    let admitted = 0;
    const { operations } = await outstanding(order.lanes, order.seconds, async (n) => {
      const takeId = `${process.pid}-${n}`;
      const answer = await store.takeTenant({ tenant: 'ten_hot', project: 'default', takeId, endpoint: 'userid', cost: 0, limits: LIMITS });
      if (answer.admitted) admitted += 1;
    });
    redis.disconnect();
    process.send?.({ admitted, operations } satisfies Taken, () => process.exit(0));
  })();
});
