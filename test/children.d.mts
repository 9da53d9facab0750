/** Returns the pids of the children of all threads of a process. */
export function childrenOf(pid?: number | "self"): number[];
