export type {
  Bus,
  BusRecord,
  Consumption,
  ConsumerSpec,
  Following,
  FollowSpec,
  OutgoingRecord,
  ParkedRecord,
  ParkingLot,
  TopicDifference,
  TopicSpec,
} from './port';
export { fromRecord, toRecord, type CloudEvent } from './cloudevents';
export { postgresParkingLot } from './parking';
export { kafkaBus, type KafkaBusOptions } from './kafka/kafka-bus';
export { postgresBus, type PostgresBusOptions } from './postgres/postgres-bus';
