<?php
/**
 * A part of the plugin.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

/**
 * Something that hangs itself into WordPress. Constructing and registering a part must cost nothing: no query, no option that is
 * not autoloaded, no request. Every callback catches \Throwable (Guarded::call does).
 */
interface Part {

	public function __construct( Services $services );

	/** Adds hooks, nothing else. */
	public function register(): void;
}
