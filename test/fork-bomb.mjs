/** Text for a shell that makes more and more processes. The shell itself makes the first alone, and `then` needs none: there may be no further one. */
export function forkBomb(then = "exec sleep 1000") {
	return `bomb() { bomb | bomb & }; bomb & ${then}`;
}
