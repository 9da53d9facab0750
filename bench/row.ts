/** The comparison that one row of the table shows. */
export interface Row {
	readonly name: string;
	readonly unit: "ns" | "µs" | "ms";
	readonly peerName: string;
	/** The most that `ratio` may be; with `difference`, the most that ours minus peer may be. `undefined`: no bar. */
	readonly bar?: number;
	readonly difference?: boolean;
	/** How many times both sides are measured in turn. Default: 15. */
	readonly rounds?: number;
	/** Prepares both sides, or returns a sentence that says why they cannot be compared on this host. */
	start(): Promise<Sides | string>;
}

/** Both sides of a row; each call measures one, in the row's unit. */
export interface Sides {
	ours(): Promise<number> | number;
	peer(): Promise<number> | number;
	end?(): Promise<void>;
}

/** One row of the file that the option `--json` names. */
export interface Result {
	readonly name: string;
	readonly unit: string;
	readonly ours: number;
	readonly peer: number;
	readonly peerName: string;
	/** The median of the rounds' ratios, or of their differences: a disturbance in a round affects both of its sides. */
	readonly ratio: number;
}

/** Measures a row: ours, peer, ours, peer, …. The first round warms up and does not count. */
export async function compare(row: Row): Promise<Result | string> {
	const sides = await row.start();
	if (typeof sides === "string") return sides;
	const ours: number[] = [];
	const peer: number[] = [];
	for (let round = 0; round <= (row.rounds ?? 15); round++) {
		const pair = [await sides.ours(), await sides.peer()] as const;
		if (round === 0) continue;
		ours.push(pair[0]);
		peer.push(pair[1]);
	}
	await sides.end?.();
	const ratio = median(ours.map((value, round) => against(row, value, peer[round] as number)));
	return { name: row.name, unit: row.unit, ours: median(ours), peer: median(peer), peerName: row.peerName, ratio };
}

/** Returns the median. */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle] as number;
	return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

function against(row: Row, ours: number, peer: number): number {
	return row.difference ? ours - peer : ours / peer;
}
