<?php
/**
 * Notification of changed customer values.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;

/**
 * Fires `tillsync_customer_updated` after everything is stored. A callback may read the table. A callback that fails undoes nothing and
 * does not stop the other customers' notifications.
 */
class ChangeNotices {

	/** Seconds above which the log gets a warning. The service waits for this request, and gives up after 20 s. */
	private const SECONDS = 2.0;

	public function __construct( private readonly Clock $clock, private readonly Log $log ) {}

	/**
	 * @param array<int, array{points: string, credit: string, type_id: int|null, as_of: string, removed: bool}> $changed Values by customer
	 * id.
	 */
	public function fire( array $changed ): void {
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
					 * Fires after points, credit, type or names of a customer have changed and are stored. Writes without a change do not
					 * fire it. It fires within the service's request, so a slow callback should schedule its work.
					 *
					 * @param int                  $user_id Id of the shop customer.
					 * @param array<string, mixed> $values  points and credit (decimals as text; empty: not known), type_id (int or null), as_of (RFC 3339),
					 *                                      removed (true: the customer is no longer linked, and the values are deleted).
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
