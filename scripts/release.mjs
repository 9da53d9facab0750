// Publishes all packages in the version that `changeset version` has given them.
//
//     node scripts/release.mjs [--registry URL] [--dry-run] [--yes] [--wait SECONDS] [--pack FOLDER | --packed FOLDER]
//
// First come the gates of scripts/release/gates.mjs and of scripts/release/packed.mjs: each fault is printed, and then nothing
// is published. Then come the slices, core, and the other packages in the order of their dependencies. Before a package follows,
// the registry has to show the packages that the package depends on. At last the script makes the tag `v<version>` in this clone,
// and the caller pushes that tag.
//
// A second run after a partial failure goes on: a package that the registry has with the same integrity is skipped, and so is one
// whose tarball has other bytes and the same files. A package with other files is a fault, and nothing more is published.
//
// --registry URL   where to publish, by default on registry.npmjs.org. The script publishes elsewhere than on loopback only with --yes or
//                  in a workflow with `id-token: write`.
// --dry-run        runs the gates, asks the registry what it has, and prints what a release would do. Changes nothing.
// --yes            publishes on any registry from anywhere.
// --pack FOLDER    ends after the gates, and leaves the tarballs in FOLDER. Publishes nothing.
// --packed FOLDER  publishes the tarballs that --pack has left, of this commit. Builds nothing, and runs no code of a dependency, so
//                  that a job with an id token needs neither.
// --wait SECONDS   how long the registry may take to show a published version, 300 by default.
//
// The slices have to be built (`node scripts/slice.mjs all`). The script builds the other packages where they are not up to date.
// `npm` of PATH publishes, with the credentials of its .npmrc, or of the id token since npm 11.5.1. A prerelease gets the
// dist-tag `next`, every other version `latest`.
//
// Environment: ACTIONS_ID_TOKEN_REQUEST_URL and GITHUB_ACTIONS, which a workflow with `id-token: write` has: packages get their
// provenance (`--provenance`) on registry.npmjs.org.
//
// Exit codes: 0, the registry shows all packages (or the dry run found no fault). 1, a gate found a fault, or the registry
// refused: the output says which, and the script may be run again. 2, the command line is wrong.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { release } from "./release/flow.mjs";
import { isLoopback, isNpmjs, npmjs } from "./release/registry.mjs";
import { root, run } from "./run.mjs";
import { checkSlice } from "./slice.mjs";

const options = readOptions();
const provenance = isNpmjs(options.registry) && hasIdToken();
// The addon of this machine is no part of a package. Therefore a job without Rust can publish slices of another job.
const build = () => run("turbo", ["run", "build", "--filter=./packages/*", "--output-logs=errors-only"]);
const faults = await release(root, { ...options, provenance, checkSlice, build });
for (const fault of faults) console.error(`nearfar: ${fault}`);
if (faults.length > 0) {
	const next = options.dryRun
		? "a release would stop here"
		: "the release is not complete: repair this, and run the script again";
	console.error(`nearfar: ${next}`);
	process.exitCode = 1;
}

function readOptions() {
	const { registry, yes, wait, pack, packed, "dry-run": dryRun } = parse();
	if (!URL.canParse(registry) || !/^https?:/.test(registry))
		misuse(`--registry takes the URL of a registry, and not ${registry}`);
	if (!/^\d+$/.test(wait)) misuse(`--wait takes whole seconds, and not ${wait}`);
	if (pack && packed) misuse("--pack and --packed are parts of a release that follow each other");
	if (!isLoopback(registry) && !(dryRun || yes || pack || hasIdToken()))
		misuse(`publishes on ${registry} only in a workflow with \`id-token: write\`, or with --yes: see --dry-run`);
	const [packInto, packedIn] = [pack, packed].map((folder) => folder && resolve(folder));
	return { registry, dryRun, packInto, packedIn, wait: Number(wait) * 1000 };
}

function parse() {
	try {
		const { values } = parseArgs({
			options: {
				registry: { type: "string", default: npmjs },
				"dry-run": { type: "boolean", default: false },
				yes: { type: "boolean", default: false },
				wait: { type: "string", default: "300" },
				pack: { type: "string" },
				packed: { type: "string" },
			},
		});
		return values;
	} catch (error) {
		misuse(error.message);
	}
}

/** Returns whether this is a workflow that may have an id token, which says to npm and to the log of provenance where it runs. */
function hasIdToken() {
	return Boolean(process.env.GITHUB_ACTIONS && process.env.ACTIONS_ID_TOKEN_REQUEST_URL);
}

function misuse(message) {
	console.error(`nearfar: ${message}`);
	process.exit(2);
}
