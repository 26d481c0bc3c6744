<?php
/**
 * Tells others that values have changed.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;

/**
 * Fires `tillsync_customer_updated` when everything is stored: a callback may read the table, and one that fails undoes nothing and
 * keeps nobody else from hearing of it.
 */
class ChangeNotices {

	/** More than this is said in the log: the service waits for the request, and gives up after 20 s. */
	private const SECONDS = 2.0;

	public function __construct( private readonly Clock $clock, private readonly Log $log ) {}

	/** @param array<int, array{points: string, credit: string, type_id: int|null, as_of: string, removed: bool}> $changed By customer. */
	public function tell( array $changed ): void {
		if ( ! has_action( 'tillsync_customer_updated' ) ) {
			return;
		}
		$began = $this->clock->monotonic();
		foreach ( $changed as $user_id => $values ) {
			SafeCall::run(
				$this->log,
				'tillsync_customer_updated',
				static function () use ( $user_id, $values ): void {
					/**
					 * Points, credit, type or names of a customer have changed, and are stored. Not fired for writes that change nothing.
					 * Fired within the service's request: what takes long should be scheduled.
					 *
					 * @param int                  $user_id The shop customer.
					 * @param array<string, mixed> $values  points and credit (decimals as text; empty: not known), type_id (int or null), as_of (RFC 3339),
					 *                                      removed (true: the link is gone, and so are the values).
					 */
					do_action( 'tillsync_customer_updated', $user_id, $values );
				}
			);
		}
		$seconds = $this->clock->monotonic() - $began;
		if ( $seconds > self::SECONDS ) {
			$this->log->warning( sprintf( 'callbacks of tillsync_customer_updated took %.1f s for %d customers within the service\'s request: what takes long should be scheduled', $seconds, count( $changed ) ) );
		}
	}
}
