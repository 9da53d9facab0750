import { BatchError } from "@nearfar/core";
import { currentBatch } from "@nearfar/core/internal";

/**
 * Refuses a call whose result is needed at once.
 *
 * @param what - What the call does, to complete "cannot …".
 */
export function refuseBatch(what: string): void {
	if (!currentBatch()) return;
	throw new BatchError(`cannot ${what} in a batch, in which no call has run yet: do it before the batch or after it`);
}
