import type { User } from './user';

/** `/userinfo-by-username/`: camelCase, unlike the rest of this upstream. */
export const profile = (user: User) => ({
  user: {
    id: user.id,
    uniqueId: user.uniqueId,
    nickname: user.nickname,
    avatarThumb: `${user.avatar}/thumb.jpeg`,
    avatarMedium: `${user.avatar}/medium.jpeg`,
    avatarLarger: `${user.avatar}/larger.jpeg`,
    signature: user.signature,
    createTime: user.createTime,
    verified: user.verified,
    secUid: user.secUid,
    secret: false,
    privateAccount: false,
    region: user.region,
    ...(user.bioLink === undefined ? {} : { bioLink: { link: user.bioLink, risk: 0 } }),
  },
  stats: {
    followerCount: user.followers,
    followingCount: user.following,
    heart: user.hearts,
    heartCount: user.hearts,
    videoCount: user.videos,
    diggCount: user.liked,
  },
});
