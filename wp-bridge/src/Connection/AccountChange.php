<?php
/**
 * Change of the account.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\Backfill;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Users\UserChanges;

/**
 * Clears what belongs to the previous account when a shop connects to another one. Waiting orders are closed, notices removed and customer
 * values hidden, because the shop now belongs to another till. The new account sends its values as soon as the shop is connected.
 */
class AccountChange {

	/** The last connected account. It stays when a shop disconnects. */
	private const OPTION = 'tillsync_bridge_last_account';

	public function __construct(
		private readonly Backfill $backfill,
		private readonly Alerts $alerts,
		private readonly UserChanges $changes,
		private readonly Outbox $outbox,
		private readonly CustomerTable $customers,
		private readonly Log $log
	) {}

	/** Runs after a connect, before tillsync_connected fires. */
	public function connected( string $account_id ): void {
		$before = (string) get_option( self::OPTION, '' );
		update_option( self::OPTION, $account_id, false );
		if ( '' === $before || $before === $account_id ) {
			return;
		}
		$this->backfill->stop();
		$this->outbox->close_waiting( __( 'Not sent: the shop was connected to another account.', 'tillsync-bridge' ) );
		$this->alerts->close_all();
		$this->customers->remove_all();
		$this->changes->forget_all();
		$this->log->info( "another account than before: {$account_id}" );
	}
}
