<?php
/**
 * The posted settings form.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\SiteSettings;

/** Reads the fields of SiteSettings and the order statuses. The caller has checked nonce and capability. */
final class SettingsInput {

	/** Tells whether the settings form was posted, by Save or by another button. */
	public static function is_given(): bool {
		return isset( $_POST['tillsync_settings'] ); // phpcs:ignore WordPress.Security.NonceVerification.Missing -- checked by the caller.
	}

	/** @return string[] Statuses without "wc-". */
	public static function statuses(): array {
		return array_map( 'sanitize_key', (array) wp_unslash( $_POST['tillsync_statuses'] ?? array() ) ); // phpcs:ignore WordPress.Security.NonceVerification.Missing -- checked by the caller.
	}

	/** @return array<string, bool|string> All fields with a valid value. An invalid field is omitted, so its setting stays. */
	public static function read(): array {
		// phpcs:disable WordPress.Security.NonceVerification.Missing -- checked by the caller.
		return self::of( array_map( static fn( $value ) => is_string( $value ) ? sanitize_text_field( wp_unslash( $value ) ) : '', (array) ( $_POST['tillsync_settings'] ?? array() ) ) );
		// phpcs:enable
	}

	/**
	 * @param array<string, mixed> $given Values by name of the form. An absent checkbox is not ticked.
	 * @return array<string, bool|string>
	 */
	public static function of( array $given ): array {
		$read = array();
		foreach ( array( 'customerSyncEnabled', 'autoLink', 'syncNames', 'syncPhone' ) as $name ) {
			$read[ $name ] = '1' === ( $given[ $name ] ?? '' );
		}
		$customer = trim( (string) ( $given['defaultEposCustomerId'] ?? '' ) );
		if ( '' === $customer || preg_match( '/^\d{1,18}$/D', $customer ) ) {
			$read['defaultEposCustomerId'] = '' === $customer ? '0' : ( ltrim( $customer, '0' ) ?: '0' );
		}
		foreach ( array( 'matchEmail' => SiteSettings::MATCH_EMAILS, 'guestPolicy' => SiteSettings::GUEST_POLICIES, 'trustedAccounts' => SiteSettings::TRUSTED_ACCOUNTS ) as $name => $allowed ) {
			if ( in_array( $given[ $name ] ?? '', $allowed, true ) ) {
				$read[ $name ] = $given[ $name ];
			}
		}
		return $read;
	}
}
