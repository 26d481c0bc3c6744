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

/**
 * Hook callbacks that cannot fail towards their caller.
 *
 * WooCommerce swallows an Exception of an order hook (and then skips the callbacks after it), but a TypeError gives HTTP 500 at the
 * checkout. So a callback takes whatever it is given, untyped and with too few arguments, and everything is caught.
 */
final class Guarded {

	/**
	 * A callback for add_action. The wrapped method gets the hook's arguments as they come.
	 *
	 * @param Closure $body  Its parameters should have defaults and no types.
	 * @param string  $where For the log: the hook's name.
	 */
	public static function action( Services $services, string $where, Closure $body ): Closure {
		return static function ( ...$arguments ) use ( $services, $where, $body ): void {
			self::call( $services, $where, static fn() => $body( ...$arguments ) );
		};
	}

	/**
	 * A callback for add_filter: when the body fails, the value passes unchanged.
	 *
	 * @param Closure $body Gets the hook's arguments; the first is the filtered value.
	 */
	public static function filter( Services $services, string $where, Closure $body ): Closure {
		return static fn( ...$arguments ) => self::call( $services, $where, static fn() => $body( ...$arguments ), $arguments[0] ?? null );
	}

	/**
	 * The body's result, or $otherwise when it fails. The failure is logged with its place, never with the values it had in hand.
	 *
	 * @param mixed $otherwise What to answer after a failure.
	 * @return mixed
	 */
	public static function call( Services $services, string $where, Closure $body, $otherwise = null ) {
		try {
			return $body();
		} catch ( Throwable $error ) {
			$services->log()->failure( $where, $error );
			return $otherwise;
		}
	}
}
