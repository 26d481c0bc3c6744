<?php
/**
 * Sentences of the settings screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Service\ServiceError;

/** Describes effects and failures for the merchant. */
final class SettingsTexts {

	/**
	 * Describes in numbers what a change does, or would do.
	 *
	 * @param array{customers: int, types: int, entries: int, notes: string[]} $effect  Effect of SiteSettings.
	 * @param bool                                                              $in_view Whether this is a preview.
	 * @return string[]
	 */
	public static function effect( array $effect, bool $in_view ): array {
		$lines = array();
		if ( $effect['customers'] > 0 ) {
			/* translators: %d: number of customers */
			$lines[] = sprintf( _n( '%d linked customer is refreshed from the till.', '%d linked customers are refreshed from the till.', $effect['customers'], 'tillsync-bridge' ), $effect['customers'] );
		}
		if ( $effect['types'] > 0 ) {
			/* translators: %d: number of customer types */
			$lines[] = sprintf( _n( '%d customer type is refreshed.', '%d customer types are refreshed.', $effect['types'], 'tillsync-bridge' ), $effect['types'] );
		}
		if ( $effect['entries'] > 0 ) {
			/* translators: %d: number of waiting orders and customers */
			$lines[] = sprintf( _n( '%d waiting order or customer is tried again.', '%d waiting orders and customers are tried again.', $effect['entries'], 'tillsync-bridge' ), $effect['entries'] );
		}
		$lines = array_merge( $lines, array() === $lines ? $effect['notes'] : array() );
		return array() === $lines && $in_view ? array( __( 'Nothing that exists is affected.', 'tillsync-bridge' ) ) : $lines;
	}

	/** Returns why the service refused a change, with a sentence per field where it names fields. */
	public static function failure( ServiceError $error ): string {
		$violations = array_map( static fn( array $violation ) => $violation['description'], $error->violations );
		return $error->sentence() . ( array() === $violations ? '' : ' ' . implode( ' ', $violations ) );
	}

	/** @return array<string, string> Labels by value. */
	public static function guest_policies(): array {
		return array(
			'GUEST_POLICY_DEFAULT_CUSTOMER' => __( 'Always use the default customer', 'tillsync-bridge' ),
			'GUEST_POLICY_MATCH_ONLY'       => __( 'Match by billing email, otherwise use the default customer', 'tillsync-bridge' ),
			'GUEST_POLICY_MATCH_OR_CREATE'  => __( 'Match by billing email, otherwise create a customer', 'tillsync-bridge' ),
		);
	}

	/** @return array<string, string> Labels by value. */
	public static function match_emails(): array {
		return array(
			'MATCH_EMAIL_ACCOUNT' => __( 'The email of the shopper\'s account', 'tillsync-bridge' ),
			'MATCH_EMAIL_BILLING' => __( 'The billing email of the order', 'tillsync-bridge' ),
		);
	}

	/**
	 * Returns the options of the select, as labels by value.
	 *
	 * @param string $since RFC 3339 time at which "registered before" was chosen; empty when it is not chosen now.
	 * @return array<string, string>
	 */
	public static function trusted_accounts( string $since ): array {
		$time = strtotime( $since );
		$day  = (string) wp_date( get_option( 'date_format' ) . ' ' . get_option( 'time_format' ), false === $time ? null : $time );
		return array(
			'TRUSTED_ACCOUNTS_CONFIRMED_ONLY'    => __( 'Only accounts whose email is confirmed', 'tillsync-bridge' ),
			/* translators: %s: date and time */
			'TRUSTED_ACCOUNTS_REGISTERED_BEFORE' => sprintf( __( 'Also accounts registered before %s', 'tillsync-bridge' ), $day ),
			'TRUSTED_ACCOUNTS_ALL'               => __( 'All accounts, whatever email they were registered with', 'tillsync-bridge' ),
		);
	}

	/** @param string $side Side of a step of ServiceTest. */
	public static function side( string $side ): string {
		switch ( $side ) {
			case 'till':
				return __( 'Till', 'tillsync-bridge' );
			case 'shop':
				return __( 'Shop', 'tillsync-bridge' );
			default:
				return __( 'Settings', 'tillsync-bridge' );
		}
	}
}
