/** Looks up all addresses of a name, in the order in which they are tried. */
export type Resolve = (name: string) => Promise<string[]>;

// A thread of Node waits for each answer. There are four of them, and node:fs needs them too.
const MOST_AT_ONCE = 2;
const waiting: (() => void)[] = [];
let running = 0;

/** Looks up all addresses of a name, with the resolver of the host: its `/etc/hosts`, and then its servers of names. */
export async function resolve(name: string): Promise<string[]> {
	if (running < MOST_AT_ONCE) running++;
	else await new Promise<void>((turn) => waiting.push(turn));
	try {
		const { lookup } = process.getBuiltinModule("node:dns/promises");
		const found = await lookup(name, { all: true, verbatim: true });
		return found.map(({ address }) => address);
	} finally {
		const next = waiting.shift();
		if (next) next();
		else running--;
	}
}
