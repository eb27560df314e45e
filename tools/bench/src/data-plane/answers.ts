/** What `/post-detail/` answers, in 1.2 KB. No single quotes: it stands in a configuration of nginx. */
export const answer = (): string => padded(1_200);

/** The same with 10 KB. */
export const largeAnswer = (): string => padded(10_000);

function padded(bytes: number): string {
  const post = {
    id: '7300000000000000000',
    region: 'DE',
    title: 'a post of the bench #weir #fyp',
    cover: 'https://cdn.example/cover/7300000000000000000.jpeg',
    duration: 31,
    play: 'https://cdn.example/video/7300000000000000000/play.mp4',
    wmplay: 'https://cdn.example/video/7300000000000000000/watermarked.mp4',
    hdplay: 'https://cdn.example/video/7300000000000000000/hd.mp4',
    size: 9_610_000,
    music_info: { id: '7000000000000000000', title: 'original sound', author: 'somebody', original: true, duration: 31, play: 'https://cdn.example/music/1.mp3' },
    play_count: 120_345,
    digg_count: 9_876,
    comment_count: 123,
    share_count: 45,
    download_count: 6,
    create_time: 1_764_000_000,
    author: { id: '107955', unique_id: 'somebody', nickname: 'Some Body', avatar: 'https://cdn.example/avatar/107955/thumb.jpeg' },
  };
  const lacking = bytes - JSON.stringify(post).length;
  return JSON.stringify({ ...post, title: `${post.title} ${'words '.repeat(Math.ceil(lacking / 6)).slice(0, Math.max(0, lacking - 1))}` });
}
