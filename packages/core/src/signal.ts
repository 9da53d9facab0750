import { integer, wrongType, wrongValue } from "./arguments.ts";
import { signals } from "./flags.generated.ts";

/** A signal by its name or number; real-time signals (34 to 64) have only a number. */
export type Signal = NodeJS.Signals | number;

let names: Map<number, NodeJS.Signals> | undefined; // made when it is first needed

/** The number of a signal; 0 only asks whether one could be sent. */
export function signalNumber(signal: Signal, name = "signal"): number {
	if (typeof signal === "number") return integer(signal, name, 0, 64);
	if (typeof signal !== "string") throw wrongType(name, "a string or a number", signal);
	const number = Object.hasOwn(signals, signal) ? signals[signal as keyof typeof signals] : undefined;
	if (number === undefined) throw wrongValue(name, `a number or one of ${Object.keys(signals).join(", ")}`, signal);
	return number;
}

/** The name of a signal, or its number where it has none. */
export function signalName(number: number): Signal {
	names ??= new Map(Object.entries(signals).map(([name, number]) => [number, name as NodeJS.Signals]));
	return names.get(number) ?? number;
}
