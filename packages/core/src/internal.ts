/** What the slices share. Not public: it changes whenever they need it to. */
export * from "./addon/flags.generated.ts";
export * from "./shared.ts";
