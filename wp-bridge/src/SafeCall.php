<?php
/**
 * Calls that cannot throw.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use Closure;
use Throwable;

/** Runs a part of a method so that its failure does not reach the caller. Boot\LazyHooks guards the callbacks of hooks. */
final class SafeCall {

	/**
	 * Returns the body's result, or $otherwise when the body throws. The log gets the place of the failure, never the values.
	 *
	 * @param string $where     Name of the action, for the log.
	 * @param mixed  $otherwise Result after a failure.
	 * @return mixed
	 */
	public static function run( Log $log, string $where, Closure $body, $otherwise = null ) {
		try {
			return $body();
		} catch ( Throwable $error ) {
			$log->failure( $where, $error );
			return $otherwise;
		}
	}
}
