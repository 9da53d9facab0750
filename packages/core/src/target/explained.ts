import { native } from "../addon/native.ts";
import { SyscallError } from "../syscall-error.ts";
import { currentBatch } from "./target.ts";

/** Returns what stands in the way of a refused call, and what to do about it. `undefined`: nothing explains the refusal. */
export type Explain = (refusal: SyscallError) => string | undefined;

/** The hints for the calls of a batch from one number to the one before another. */
export interface StepHints {
	readonly from: number;
	readonly to: number;
	readonly explain: Explain;
}

let explaining = false;

/**
 * Calls `fn`, which reads what a hint is made of. Returns `undefined` if `fn` throws, because the refusal itself is what the caller
 * has to know. The errors of the calls of `fn` get no hint of this kind: a hint would otherwise read for the hint of a hint.
 */
export function quietly<T>(fn: () => T): T | undefined {
	if (explaining) return undefined;
	explaining = true;
	try {
		return fn();
	} catch {
		return undefined;
	} finally {
		explaining = false;
	}
}

/**
 * Runs `fn`. If the kernel refuses a call of `fn`, the error says what stands in the way. In a batch the error of a collected call does.
 *
 * @param fn - Makes the calls.
 * @param explain - Called after a refusal, in the task that was refused. `undefined`: the error keeps the hint that it has.
 */
export function explained<T>(fn: () => T, explain: Explain): T {
	const batch = currentBatch();
	const from = batch ? native().collected() : 0;
	try {
		return fn();
	} catch (error) {
		if (error instanceof SyscallError) addHint(error, explain);
		throw error;
	} finally {
		if (batch) batch.hints.push({ from, to: native().collected(), explain });
	}
}

/** Adds to the error of a call of a batch the hint that was collected along with the call. */
export function explainStep(error: Error, hints: readonly StepHints[]): void {
	if (!(error instanceof SyscallError) || error.step === undefined) return;
	const { step } = error;
	const found = hints.find(({ from, to }) => from <= step && step < to);
	if (found) addHint(error, found.explain);
}

/** Adds a hint to an error, unless nothing explains the error. */
export function addHint(error: SyscallError, explain: Explain): void {
	const hint = quietly(() => explain(error));
	if (hint !== undefined) Object.assign(error, { hint });
}
