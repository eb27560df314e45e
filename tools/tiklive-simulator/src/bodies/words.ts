/** What made-up people are called and say. Short names: see user-id.ts for why twelve characters matter. */
export const FIRST_NAMES = [
  'ada', 'amir', 'ana', 'aoife', 'bao', 'bea', 'carl', 'chidi', 'clara', 'dana', 'diego', 'elif', 'emma', 'enzo', 'eva', 'finn', 'gita', 'hana',
  'hugo', 'ines', 'ivan', 'jack', 'jana', 'jin', 'jonas', 'kaito', 'karim', 'kofi', 'lara', 'lena', 'leo', 'lina', 'luca', 'maja', 'malik', 'maria',
  'mateo', 'mei', 'mila', 'nadia', 'nico', 'noah', 'nora', 'olga', 'omar', 'paul', 'priya', 'rafa', 'rosa', 'sami', 'sara', 'sofia', 'tariq', 'tess',
  'theo', 'tomas', 'uma', 'vera', 'yara', 'yuki', 'zoe',
] as const;

export const LAST_NAMES = [
  'ali', 'baker', 'bauer', 'costa', 'cruz', 'diaz', 'fox', 'gray', 'haas', 'kaya', 'khan', 'kim', 'klein', 'lee', 'lopez', 'mori', 'moss', 'ngo',
  'novak', 'okoro', 'park', 'patel', 'reed', 'rossi', 'sato', 'silva', 'singh', 'smith', 'stone', 'tran', 'vega', 'weber', 'wolf', 'wood', 'young',
] as const;

export const REGIONS = ['US', 'GB', 'DE', 'FR', 'ES', 'IT', 'BR', 'MX', 'ID', 'PH', 'VN', 'TH', 'JP', 'KR', 'TR', 'EG', 'NG', 'IN'] as const;

export const TOPICS = [
  'baking', 'bouldering', 'cats', 'ceramics', 'chess', 'cycling', 'dance', 'dogs', 'drawing', 'fashion', 'football', 'gardening', 'guitar', 'knitting',
  'makeup', 'noodles', 'photography', 'plants', 'running', 'sewing', 'skating', 'surfing', 'travel', 'vintage', 'woodwork', 'yoga',
] as const;

export const CAPTIONS = [
  'wait for the end', 'day {n} of {topic}', 'why did nobody tell me this about {topic}', 'my {topic} routine, finally', 'part {n}, as promised',
  'pov: you started {topic} a year ago', 'three mistakes everybody makes in {topic}', 'this took me {n} hours', 'quiet morning, {topic} and coffee',
  'replying to all of you who asked about {topic}', 'i tried {topic} for {n} days', 'no words 😅', 'the best {topic} tip i ever got ✨',
] as const;

export const COMMENTS = [
  'this made my day', 'how long did it take?', 'part two please', 'i needed this today 😭', 'what song is this', 'the ending 😂', 'tutorial when',
  'as somebody who does {topic}: yes', 'first', 'underrated', 'my dog watched this with me', 'saving this for later', 'okay now i have to try {topic}',
  'so calming', 'who else came here from the last one', 'we love to see it ❤️', 'you are so good at this', 'ich kann nicht mehr 😂', 'qué bonito',
] as const;

export const SONGS = ['Low Tide', 'Paper Boats', 'Neon Garden', 'Slow Burn', 'Night Bus', 'Sugar Rain', 'Static', 'Golden Hour Again', 'Two Steps', 'Blue Room'] as const;

export const title = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
