import { signals } from "../addon/flags.generated.ts";
import { integer, wrongType, wrongValue } from "../arguments.ts";

/** A signal by its name or number; real-time signals (34 to 64) have only a number. */
export type Signal = NodeJS.Signals | number;

// Node knows them as well.
const otherNames = { SIGIOT: signals.SIGABRT, SIGPOLL: signals.SIGIO } as const;

let names: Map<number, NodeJS.Signals> | undefined; // made when it is first needed

/** The number of a signal; 0 only asks whether one could be sent. */
export function signalNumber(signal: Signal, name = "signal", min: 0 | 1 = 0): number {
	if (typeof signal === "number") return integer(signal, name, min, 64);
	if (typeof signal !== "string") throw wrongType(name, "a string or a number", signal);
	const table: Readonly<Record<string, number>> = Object.hasOwn(otherNames, signal) ? otherNames : signals;
	const number = Object.hasOwn(table, signal) ? table[signal] : undefined;
	if (number === undefined) throw wrongValue(name, `a number or one of ${Object.keys(signals).join(", ")}`, signal);
	return number;
}

/** The name of a signal, or its number where it has none. */
export function signalName(number: number): Signal {
	names ??= new Map(Object.entries(signals).map(([name, number]) => [number, name as NodeJS.Signals]));
	return names.get(number) ?? number;
}
