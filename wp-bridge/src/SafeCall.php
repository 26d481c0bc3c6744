<?php
/**
 * Nothing of ours may break a checkout or a screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use Closure;
use Throwable;

/** What a class does inside its own method without failing towards its caller. The callbacks of hooks are guarded by Boot\LazyHooks. */
final class SafeCall {

	/**
	 * The body's result, or $otherwise when it fails. The failure is logged with its place, never with the values it had in hand.
	 *
	 * @param string $where     For the log.
	 * @param mixed  $otherwise What to answer after a failure.
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
