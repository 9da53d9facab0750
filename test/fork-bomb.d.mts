/** Returns the text of a shell that makes more and more processes, and goes on with `then`. */
export function forkBomb(then?: string): string;
