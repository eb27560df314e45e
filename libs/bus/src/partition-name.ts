/** A topic's name holds no slash. */
export const partitionName = (topic: string, partition: number): string => `${topic}/${partition}`;
