<?php
/**
 * A shop that is joined to another account.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

use Tillsync\Bridge\Health\Causes;
use Tillsync\Bridge\Orders\Backfill;
use Tillsync\Bridge\Services;
use Tillsync\Bridge\Users\UserChanges;

/**
 * What came from, or waits for, the account before is of no account to the new one: nothing old is sent by itself, no notice of it stays,
 * and shoppers do not see the points of another till. The new account writes what it knows as soon as the shop is connected.
 */
class AccountChange {

	/** The account that was connected last; stays when a shop disconnects. */
	private const OPTION = 'tillsync_bridge_last_account';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	/** After a connect, before anybody is told of it. */
	public function connected( string $account_id ): void {
		$before = (string) get_option( self::OPTION, '' );
		update_option( self::OPTION, $account_id, false );
		if ( '' === $before || $before === $account_id ) {
			return;
		}
		$this->services->get( Backfill::class )->stop();
		$this->services->outbox()->close_waiting( __( 'Not sent: the shop was connected to another account.', 'tillsync-bridge' ) );
		$this->services->get( Causes::class )->close_all();
		$this->services->customers()->remove_all();
		$this->services->get( UserChanges::class )->forget_all();
		$this->services->log()->info( "another account than before: {$account_id}" );
	}
}
