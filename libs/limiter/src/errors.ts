import { AppError, unavailable } from '@weir/kernel';

export const takeClosed = (takeId: string): AppError =>
  new AppError('take-closed', 'conflict', 'This take has been settled or given back. Take again under a new id.', {
    details: { takeId },
  });

export const limiterUnavailable = (cause: unknown): AppError =>
  unavailable('limiter-unavailable', 'The limits cannot be checked at this moment. Try again shortly.', cause);
