import { TestRunner } from "vitest";

/** Returns the milliseconds after which a part of the current test gives up, so that the test itself can still tell why. */
export function limitOfTest(): number {
	return (TestRunner.getCurrentTest()?.timeout ?? 30_000) - 5000;
}
