import { signals } from "../addon/flags.generated.ts";
import { integer, wrongType, wrongValue } from "../arguments.ts";

/** A signal by its name or number; real-time signals (34 to 64) have only a number. */
export type Signal = NodeJS.Signals | number;

// Other names for the same signals, which Node knows too.
const otherNames = { SIGIOT: signals.SIGABRT, SIGPOLL: signals.SIGIO } as const;

let names: Map<number, NodeJS.Signals> | undefined; // made on first use

/**
 * Returns the number of a signal.
 *
 * @param signal - A name or a number up to 64.
 * @param name - The name of the parameter, for errors.
 * @param min - 0 allows the number 0, which only asks whether a signal could be sent. Default: 0.
 */
export function signalNumber(signal: Signal, name = "signal", min: 0 | 1 = 0): number {
	if (typeof signal === "number") return integer(signal, name, min, 64);
	if (typeof signal !== "string") throw wrongType(name, "a string or a number", signal);
	const table: Readonly<Record<string, number>> = Object.hasOwn(otherNames, signal) ? otherNames : signals;
	const number = Object.hasOwn(table, signal) ? table[signal] : undefined;
	if (number === undefined) throw wrongValue(name, `a number or one of ${Object.keys(signals).join(", ")}`, signal);
	return number;
}

/** Returns the name of a signal, or its number if it has no name. */
export function signalName(number: number): Signal {
	names ??= new Map(Object.entries(signals).map(([name, number]) => [number, name as NodeJS.Signals]));
	return names.get(number) ?? number;
}
