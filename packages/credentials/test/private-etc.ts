import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FixtureEnd, type FixtureOptions, runFixture } from "../../../test/fixture.ts";

/** Mounts an empty file system on `/etc`, copies the files of a folder there, and executes the rest of the words. */
const script = 'mount -t tmpfs tmpfs /etc && cp -r "$1/." /etc && chmod 755 /etc && shift && exec "$@"';

/**
 * Runs a fixture in a mount namespace whose `/etc` has these files and no others.
 *
 * @param files - The contents of the files by their names.
 * @param options - `own`: without a user namespace, as user 0 of the host.
 */
export async function runWithEtc(
	fixture: string,
	files: Record<string, string>,
	{ own = false, ...options }: FixtureOptions & { own?: boolean } = {},
): Promise<FixtureEnd> {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-etc-"));
	try {
		const all = { "nsswitch.conf": "passwd: files\ngroup: files\ninitgroups: files\n", ...files };
		for (const [name, text] of Object.entries(all)) writeFileSync(join(folder, name), text);
		const namespaces = own ? ["--mount"] : ["--mount", "--user", "--map-root-user"];
		return await runFixture(fixture, {
			...options,
			wrapper: ["unshare", ...namespaces, "sh", "-c", script, "sh", folder, ...(options.wrapper ?? [])],
		});
	} finally {
		rmSync(folder, { recursive: true });
	}
}
