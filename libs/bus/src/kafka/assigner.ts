import { AssignerProtocol, type Assignment, type PartitionAssigner } from 'kafkajs';
import { shareOf } from '../shares';

/**
 * Deals the partitions of each topic to the members that subscribed to it. kafkajs's own assigner gives every topic of the leader to
 * every member, and loses those that are read by others of the group only.
 */
export const bySubscription: PartitionAssigner = ({ cluster }) => ({
  name: 'weir-by-subscription',
  version: 0,

  async assign({ members }) {
    const subscribers = new Map<string, string[]>();
    for (const { memberId, memberMetadata } of members) {
      for (const topic of AssignerProtocol.MemberMetadata.decode(memberMetadata)?.topics ?? []) {
        subscribers.set(topic, [...(subscribers.get(topic) ?? []), memberId].sort());
      }
    }
    for (const topic of subscribers.keys()) await cluster.addTargetTopic(topic);

    return members.map(({ memberId }) => {
      const assignment: Assignment = {};
      for (const [topic, ids] of subscribers) {
        const partitions = shareOf(memberId, ids, topic, cluster.findTopicPartitionMetadata(topic).length);
        if (partitions.length > 0) assignment[topic] = partitions;
      }
      return {
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment, userData: Buffer.alloc(0) }),
      };
    });
  },

  protocol: ({ topics }) => ({
    name: 'weir-by-subscription',
    metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
  }),
});
