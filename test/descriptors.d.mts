/** Returns the numbers of this process's open descriptors whose link in `/proc/self/fd` matches. */
export function descriptorsOf(links: RegExp): string[];

/** Waits up to 5 s until no more descriptors match than before. Returns how many more do. */
export function descriptorsLeft(links: RegExp, before: number): Promise<number>;
