/** What one row of the table compares. */
export interface Row {
	readonly name: string;
	readonly unit: "ns" | "µs" | "ms";
	readonly peerName: string;
	/** What `ratio` has to stay under; `difference`: what ours less peer has to. */
	readonly bar: number;
	readonly difference?: boolean;
	/** How often both sides are measured in turn. Default: 15. */
	readonly rounds?: number;
	/** Makes both sides ready, or says in a sentence why they cannot be compared here. */
	start(): Promise<Sides | string>;
}

/** Both sides of a row; each call measures one, in the row's unit. */
export interface Sides {
	ours(): Promise<number> | number;
	peer(): Promise<number> | number;
	end?(): Promise<void>;
}

/** One row of the file that `--json` names. */
export interface Result {
	readonly name: string;
	readonly unit: string;
	readonly ours: number;
	readonly peer: number;
	readonly peerName: string;
	/** The median of the rounds' ratios, or of their differences: what disturbs a round disturbs both sides of it. */
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

/** The middle one. */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle] as number;
	return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

function against(row: Row, ours: number, peer: number): number {
	return row.difference ? ours - peer : ours / peer;
}
